#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints texts.c: files as arrays of C strings, one a line.
set -eu
from=$1

add() {
	printf '\nconst char *const texts_%s[] = {\n' "$1"
	sed -e '1{/SPDX-License/d;}' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/?/\\?/g' -e 's/^/\t"/' -e 's/$/\\n",/' "$from/$2"
	printf '\tNULL,\n};\n'
}

echo '/* Made by texts.sh. */'
echo '#include "texts.h"'
echo '#include <stddef.h>'
add prelude prelude.h
add skeleton_plugin skeleton/plugin.c
add skeleton_spec skeleton/plugin.yaml
add skeleton_test skeleton/items.test.json
add skeleton_ignore skeleton/gitignore
add skeleton_env skeleton/env
add skeleton_template skeleton/template.yaml
