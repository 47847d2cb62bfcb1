package query

// typeName is what is known of a type by its oid.
type typeName struct {
	name  string
	oid   uint32
	array uint32 // oid of its array; 0: none
}

// knownTypes are the built-in types that a parameter may have, or a column has.
// The oids are the server's and never change.
func knownTypes() []typeName {
	return []typeName{
		{"bool", 16, 1000},
		{"bytea", 17, 1001},
		{"char", 18, 1002},
		{"name", 19, 1003},
		{"int8", 20, 1016},
		{"int2", 21, 1005},
		{"int4", 23, 1007},
		{"text", 25, 1009},
		{"oid", 26, 1028},
		{"json", 114, 199},
		{"xml", 142, 143},
		{"point", 600, 1017},
		{"float4", 700, 1021},
		{"float8", 701, 1022},
		{"money", 790, 791},
		{"macaddr", 829, 1040},
		{"inet", 869, 1041},
		{"cidr", 650, 651},
		{"bpchar", 1042, 1014},
		{"varchar", 1043, 1015},
		{"date", 1082, 1182},
		{"time", 1083, 1183},
		{"timestamp", 1114, 1115},
		{"timestamptz", 1184, 1185},
		{"interval", 1186, 1187},
		{"timetz", 1266, 1270},
		{"bit", 1560, 1561},
		{"varbit", 1562, 1563},
		{"numeric", 1700, 1231},
		{"uuid", 2950, 2951},
		{"jsonb", 3802, 3807},
		{"int4range", 3904, 3905},
		{"numrange", 3906, 3907},
		{"tsrange", 3908, 3909},
		{"tstzrange", 3910, 3911},
		{"daterange", 3912, 3913},
		{"int8range", 3926, 3927},
		{"void", 2278, 0},
		{"record", 2249, 2287},
		{"unknown", 705, 0},
		{"regclass", 2205, 2210},
		{"xid", 28, 1011},
		{"cid", 29, 1012},
		{"tid", 27, 1010},
		{"tsvector", 3614, 3643},
		{"tsquery", 3615, 3645},
		{"super", 4000, 0},
		{"hllsketch", 2935, 0},
		{"geometry", 3000, 0},
		{"geography", 3001, 0},
		{"varbyte", 6551, 0},
	}
}

// typeAliases are other words for types, as people write them.
func typeAliases() map[string]string {
	return map[string]string{
		"boolean": "bool", "smallint": "int2", "integer": "int4", "int": "int4", "bigint": "int8", "real": "float4",
		"float": "float8", "double precision": "float8", "double": "float8", "decimal": "numeric", "string": "text",
		"character varying": "varchar", "character": "bpchar", "timestamp without time zone": "timestamp", "datetime": "timestamp",
		"timestamp with time zone": "timestamptz", "time without time zone": "time", "time with time zone": "timetz",
	}
}

// typeNames knows types both ways.
type typeNames struct {
	byName map[string]typeName
	byOID  map[uint32]string
	alias  map[string]string
}

func newTypeNames() *typeNames {
	n := &typeNames{byName: map[string]typeName{}, byOID: map[uint32]string{}, alias: typeAliases()}
	for _, t := range knownTypes() {
		n.byName[t.name] = t
		n.byOID[t.oid] = t.name
		if t.array != 0 {
			n.byOID[t.array] = t.name + "[]"
		}
	}
	return n
}

// name returns a type's name; one that is not built in has no name here.
func (n *typeNames) name(oid uint32) string {
	if s, ok := n.byOID[oid]; ok {
		return s
	}
	return "other"
}

// lookup returns a type by a name that people write.
func (n *typeNames) lookup(name string) (typeName, bool) {
	if a, ok := n.alias[name]; ok {
		name = a
	}
	t, ok := n.byName[name]
	return t, ok
}
