// Written by nango-plugin generate from plugin.yaml (golden 2.3.4). Edit that instead.

export interface Bag {
	id: number;
	zebra?: string;
	[key: string]: unknown;
}

export interface NewThing {
	age?: number;
	name: string;
	title: string;
}

export interface Person {
	age?: number;
	name: string;
}

/** One of everything */
export interface Thing {
	boss: Person | null;
	camelCase?: string;
	children?: Thing[];
	class?: string;
	day?: string;
	flag?: boolean;
	id: string;
	is_on: boolean;
	kind?: "On Hold" | "none";
	maybe: string | null;
	nothing_or_number?: number | null;
	number: number;
	"odd \"name\""?: string;
	owner?: Person;
	people: Person[];
	price: string;
	ratio: number;
	raw?: unknown;
	sizes?: number[];
	some?: number;
	state: "open" | "closed";
	tags: string[];
	text?: string;
	three?: string | null;
	void: null;
	words?: ("a" | "b")[];
}

export interface ThingsMetadata {
	depth?: number;
	folder: string;
	names?: string[];
	[key: string]: unknown;
}

export interface ThingsCheckpoint {
	after?: string;
	count?: number;
	done?: boolean;
	phase?: "list" | "search";
	ratio?: number;
}

