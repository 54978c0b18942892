package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Fault is what is wrong with one setting.
type Fault struct {
	Setting string // name without Prefix
	Text    string // what is wrong and what is wanted
}

// Error names the variable and what is wrong.
func (f Fault) Error() string { return Prefix + f.Setting + ": " + f.Text }

// Faults is everything that is wrong with a configuration; it has one fault at least.
type Faults []Fault

// Error lists the faults, one a line.
func (f Faults) Error() string {
	lines := []string{fmt.Sprintf("configuration has %d faults:", len(f))}
	for _, x := range f {
		lines = append(lines, x.Error())
	}
	return strings.Join(lines, "\n")
}

// misread finds values that are not of their setting's type.
func misread(variables map[string]string) (out Faults) {
	for _, s := range Settings() {
		v := variables[Prefix+s.Name]
		if v == "" {
			continue
		}
		kind := s.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		var err error
		want := ""
		switch {
		case kind == reflect.TypeFor[time.Duration]():
			_, err = time.ParseDuration(v)
			want = "a duration such as 90s or 5m"
		case kind.Kind() == reflect.Bool:
			_, err = strconv.ParseBool(v)
			want = "true or false"
		case kind.Kind() == reflect.Int:
			_, err = strconv.ParseInt(v, 10, 0)
			want = "a whole number"
		case kind.Kind() == reflect.Uint64:
			_, err = strconv.ParseUint(v, 10, 64)
			want = "a whole number, 0 or more"
		}
		if err != nil {
			out = append(out, Fault{s.Name, fmt.Sprintf("%.80q: want %s", v, want)})
		}
	}
	return out
}

// Nearest returns the one of known that is most likely meant by a misspelt word; "" where none is near.
func Nearest(word string, known []string) string {
	best, at := "", 1+max(2, len(word)/4)
	for _, k := range known {
		if d := distance(word, k, at); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is how many characters must be put in, taken out, replaced or exchanged with their neighbour to make b of a
// (optimal string alignment); above most it may be any number above most.
func distance(a, b string, most int) int {
	if max(len(a), len(b))-min(len(a), len(b)) > most {
		return most + 1
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
