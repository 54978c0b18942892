package config

import (
	"reflect"
	"strings"
)

// Setting is one setting as its field declares it.
type Setting struct {
	Name    string // of the variable, without Prefix
	Group   string // the struct that has the field, such as config.Chain
	Field   string // name of the field
	Type    reflect.Type
	Default string   // "" for none
	Unit    string   // of numbers and durations
	Example string   // a value
	Secrets []string // kinds of secret (resource.Secret) that the setting names; empty for one that names none
	Stack   bool     // the stack sets it; operators do not
	Service bool     // it is the URL of a service that others run
}

// Settings returns every setting, in the order of the structs.
func Settings() []Setting {
	var out []Setting
	each(reflect.ValueOf(Config{}), "", func(s Setting, _ reflect.Value) { out = append(out, s) })
	return out
}

// SecretSettings returns the names of the settings that name a kind of secret (resource.Secret).
func SecretSettings(kind string) []string {
	var out []string
	for _, s := range Settings() {
		for _, k := range s.Secrets {
			if k == kind {
				out = append(out, s.Name)
			}
		}
	}
	return out
}

// SetByStack says whether the stack sets the setting, so that operators do not.
func SetByStack(name string) bool {
	for _, s := range Settings() {
		if s.Name == name {
			return s.Stack
		}
	}
	return false
}

// each calls f for each setting of a struct with its value, and for those of the structs in it.
func each(v reflect.Value, prefix string, f func(Setting, reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		tag := field.Tag
		name := tag.Get("env")
		if name == "" {
			if field.Type.Kind() == reflect.Struct {
				each(v.Field(i), prefix+tag.Get("envPrefix"), f)
			}
			continue
		}
		s := Setting{
			Name: prefix + name, Group: v.Type().String(), Field: field.Name, Type: field.Type,
			Default: tag.Get("envDefault"),
			Unit:    tag.Get("unit"), Example: tag.Get("example"), Stack: tag.Get("set") == "stack",
			Service: tag.Get("url") == "service",
		}
		if s.Default == "" {
			s.Default = tag.Get("default") // applied by the struct's own package
		}
		if kinds := tag.Get("secret"); kinds != "" {
			s.Secrets = strings.Split(kinds, ",")
		}
		f(s, v.Field(i))
	}
}
