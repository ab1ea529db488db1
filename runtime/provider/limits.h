/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider/limits -- the bounds of what a template may declare under x.limits.
 */
#ifndef NANGO_PROVIDER_LIMITS_H
#define NANGO_PROVIDER_LIMITS_H

#define LIMITS_MAX 16		    /* of a template */
#define LIMITS_METHODS_MAX 8	    /* of one limit's class */
#define LIMITS_PATH_MAX 200	    /* bytes of its pattern */
#define LIMITS_REQUESTS_MAX 1000000 /* and of burst */
#define LIMITS_SECONDS_MAX 86400

#endif
