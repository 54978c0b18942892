// Package options gives the programs of scripts/ one way to take settings: flags, then environment variables, then a
// file, then the default.
package options

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// Prefix is what the names of all variables start with. It is not that of the functions' settings.
const Prefix = "ORCH_"

// FileVariable names the file where -options does not.
const FileVariable = Prefix + "OPTIONS"

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// Variable is the environment variable, and the name in the file, of a program's flag: that of run's flag dry-run is
// ORCH_RUN_DRY_RUN.
func Variable(program, flag string) string {
	return Prefix + strings.ToUpper(strings.NewReplacer("-", "_", " ", "_").Replace(program+"_"+flag))
}

// fileFlag is the flag that names the file.
const fileFlag = "options"

// Add adds the flag that names the file.
func Add(fs *flag.FlagSet) {
	fs.String(fileFlag, "", "a file of lines NAME=value with options that neither flags nor environment give")
}

// Parse parses a program's arguments and fills in what they do not give. Its errors are printed as flag's are.
func Parse(fs *flag.FlagSet, program string, args, environ []string) error {
	Add(fs)
	usage := fs.Usage
	fs.Usage = func() {
		if usage == nil {
			fmt.Fprintf(fs.Output(), "Usage of %s:\n", program)
			fs.PrintDefaults()
		} else {
			usage()
		}
		fmt.Fprint(fs.Output(), Help(program))
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	err := Fill(fs, program, environ)
	if err != nil {
		fmt.Fprintln(fs.Output(), err)
	}
	return err
}

// Help says where options come from.
func Help(program string) string {
	return fmt.Sprintf("\nEach option is also read from the environment, such as %s,\n"+
		"and then from the lines of the file that -%s or %s names: a flag\n"+
		"goes before the environment, which goes before the file.\n",
		Variable(program, "json"), fileFlag, FileVariable)
}

// Fill sets the flags that the arguments did not set: by the variables of environ (lines NAME=value), then by the file.
// The error names every option that can't be read, and those of the program that do not exist.
func Fill(fs *flag.FlagSet, program string, environ []string) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	env := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, Prefix) {
			env[name] = value
		}
	}
	path := env[FileVariable]
	if f := fs.Lookup(fileFlag); f != nil && given[fileFlag] {
		path = f.Value.String()
	}
	delete(env, FileVariable)
	var errs []error
	file := map[string]string{}
	if path != "" {
		var err error
		if file, err = read(path); err != nil {
			return err
		}
	}
	for _, source := range []struct {
		name   string
		values map[string]string
	}{{"the environment", env}, {path, file}} {
		errs = append(errs, fill(fs, program, source.name, source.values, given)...)
	}
	return errors.Join(errs...)
}

// fill sets flags by one source; given grows by them.
func fill(fs *flag.FlagSet, program, source string, values map[string]string, given map[string]bool) (errs []error) {
	known := map[string]string{}
	fs.VisitAll(func(f *flag.Flag) { known[Variable(program, f.Name)] = f.Name })
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(name, Variable(program, "")) { // another program's
			continue
		}
		flagName, ok := known[name]
		switch {
		case !ok || flagName == fileFlag:
			errs = append(errs, fmt.Errorf("%s in %s: %s has no such option; -help lists them", name, source, program))
		case given[flagName]:
		default:
			given[flagName] = true
			if err := fs.Set(flagName, values[name]); err != nil {
				errs = append(errs, fmt.Errorf("%s in %s: %w", name, source, err))
			}
		}
	}
	return errs
}

// read reads a file of lines NAME=value; lines that are empty or begin with # say nothing.
func read(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the options: %w", err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]string{}
	in := bufio.NewScanner(io.LimitReader(f, maxFile))
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || !strings.HasPrefix(name, Prefix) {
			return nil, fmt.Errorf("%s, line %d: want NAME=value with a name such as %s", path, n,
				Variable("run", "blocks"))
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s, line %d: %s is given twice", path, n, name)
		}
		out[name] = strings.TrimSpace(value)
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("read the options of %s: %w", path, err)
	}
	return out, nil
}
