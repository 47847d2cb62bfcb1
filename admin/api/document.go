package api

import (
	"reflect"
	"strings"
	"time"
)

// mendDocument says of answers what huma cannot know: dense sees to it that no
// list of theirs is null; and what is a pointer to an object may be null.
func (a *API) mendDocument(doc map[string]any) {
	schemas := member(doc, "components", "schemas")
	inputs := map[string]bool{}
	for _, path := range member(doc, "paths") {
		for _, op := range object(path) {
			collect(schemas, member(object(op), "requestBody"), inputs)
		}
	}
	for name, s := range schemas {
		if inputs[name] {
			continue
		}
		t := a.huma.OpenAPI().Components.Schemas.TypeFromRef("#/components/schemas/" + name)
		for property, p := range member(object(s), "properties") {
			notNull(object(p))
			if nullableObject(t, property) {
				ref := object(p)["$ref"]
				member(object(s), "properties")[property] = map[string]any{"anyOf": []any{map[string]any{"$ref": ref}, map[string]any{"type": "null"}}}
			}
		}
	}
}

// notNull takes null from the types of a list, and of the lists in it.
func notNull(schema map[string]any) {
	types, several := schema["type"].([]any)
	if several && len(types) == 2 && types[0] == "array" {
		schema["type"] = "array"
	}
	if inner := object(schema["items"]); inner != nil {
		notNull(inner)
	}
}

// nullableObject reports whether a property is a pointer to an object that is
// always there, if only as null.
func nullableObject(t reflect.Type, property string) bool {
	if t == nil || t.Kind() != reflect.Struct {
		return false
	}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != property || strings.Contains(options, "omitempty") || f.Type.Kind() != reflect.Pointer {
			continue
		}
		return f.Type.Elem().Kind() == reflect.Struct && f.Type.Elem() != typeOf[time.Time]()
	}
	return false
}

// collect notes the schemas that a part of the document reaches.
func collect(schemas map[string]any, part any, into map[string]bool) {
	switch v := part.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			name := ref[strings.LastIndexByte(ref, '/')+1:]
			if !into[name] {
				into[name] = true
				collect(schemas, schemas[name], into)
			}
		}
		for _, one := range v {
			collect(schemas, one, into)
		}
	case []any:
		for _, one := range v {
			collect(schemas, one, into)
		}
	}
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func member(doc map[string]any, names ...string) map[string]any {
	for _, name := range names {
		doc = object(doc[name])
	}
	return doc
}
