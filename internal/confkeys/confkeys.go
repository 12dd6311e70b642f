// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

// Package confkeys finds the keys of a component's configuration that its config struct does not have.
//
// The collector rejects unknown keys by itself, except below or beside a struct whose own Unmarshal ignores them:
// confighttp.ClientConfig does so since v0.161 because it is usually squashed into a larger config, and then a typo
// anywhere in the component's section passes in silence. Components of this project call [Check] first, so that all of
// them refuse unknown keys, and in the same words:
//
//	func (c *Config) Unmarshal(conf *confmap.Conf) error {
//		if err := confkeys.Check(conf, c); err != nil {
//			return err
//		}
//		return conf.Unmarshal(c, confmap.WithIgnoreUnused())
//	}
package confkeys

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
)

// Check returns one error for each key of conf that cfg has no field for, joined in the order of their paths. Each names
// the full path of the key, the keys allowed at its place and, where one of them is spelled almost the same, that one.
//
// cfg is a config struct or a pointer to one; only its type matters. Keys are those of its mapstructure tags, squashed
// structs included, exact in case. Structs are checked wherever they occur: in fields, behind pointers, in
// configoptional.Optional (which also allows `enabled`), as elements of lists and maps. The keys of a map, and anything
// below an interface or a struct with a `remain` field, are free. Values are not looked at: a wrong one is for Unmarshal
// to report.
func Check(conf *confmap.Conf, cfg any) error {
	return errors.Join(check(nil, conf.ToStringMap(), reflect.TypeOf(cfg))...)
}

// optionalPackage is where configoptional.Optional[T] lives, to know it for any T.
var optionalPackage = reflect.TypeFor[configoptional.Optional[any]]().PkgPath()

func check(path []string, value any, t reflect.Type) []error {
	optional := false
	for t.Kind() == reflect.Pointer || t.PkgPath() == optionalPackage {
		if t.Kind() != reflect.Pointer {
			optional = true
			get, _ := reflect.PointerTo(t).MethodByName("Get")
			t = get.Type.Out(0)
		}
		t = t.Elem()
	}
	var errs []error
	switch t.Kind() {
	case reflect.Struct:
		section, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		fields := make(map[string]reflect.Type)
		if free := addFields(fields, t); free {
			return nil
		}
		if optional {
			fields["enabled"] = reflect.TypeFor[bool]()
		}
		for _, key := range slices.Sorted(maps.Keys(section)) {
			at := append(slices.Clip(path), key)
			if field, ok := fields[key]; ok {
				errs = append(errs, check(at, section[key], field)...)
			} else {
				errs = append(errs, unknown(at, slices.Sorted(maps.Keys(fields))))
			}
		}
	case reflect.Map:
		entries, _ := value.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			errs = append(errs, check(append(slices.Clip(path), key), entries[key], t.Elem())...)
		}
	case reflect.Slice, reflect.Array:
		elements, _ := value.([]any)
		for i, element := range elements {
			errs = append(errs, check(append(slices.Clip(path), strconv.Itoa(i)), element, t.Elem())...)
		}
	}
	return errs
}

// addFields adds the keys of struct type t and the types of their values; true if t takes keys beside them.
func addFields(fields map[string]reflect.Type, t reflect.Type) (free bool) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case slices.Contains(strings.Split(options, ","), "remain"):
			free = true
		case slices.Contains(strings.Split(options, ","), "squash"):
			squashed := field.Type
			if squashed.Kind() == reflect.Pointer {
				squashed = squashed.Elem()
			}
			free = addFields(fields, squashed) || free
		case field.IsExported() && name != "-":
			fields[cmp.Or(name, field.Name)] = field.Type
		}
	}
	return free
}

func unknown(path, allowed []string) error {
	key := path[len(path)-1]
	var message strings.Builder
	fmt.Fprintf(&message, "unknown key `%s`", strings.Join(path, confmap.KeyDelimiter))
	if near := nearest(key, allowed); near != "" {
		fmt.Fprintf(&message, ", did you mean `%s`?", near)
	}
	if len(allowed) == 0 {
		message.WriteString(" (no keys are allowed here)")
	} else {
		fmt.Fprintf(&message, " (allowed here: `%s`)", strings.Join(allowed, "`, `"))
	}
	return errors.New(message.String())
}

// nearest is the first of the names that has the least edit distance to key, or empty if all differ too much to be meant.
func nearest(key string, names []string) string {
	least, near := min(2, len(key)/2)+1, ""
	for _, name := range names {
		if d := distance(key, name); d < least {
			least, near = d, name
		}
	}
	return near
}

// distance is the Levenshtein distance of two keys in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
