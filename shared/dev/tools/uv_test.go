package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What pip is set to do, uv does too, or it is not used.
func TestSettingsOfPip(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	own, said, err := settingsForUV(t, "", nil) // of /etc/pip.conf, which can't be left out
	if err != nil {
		t.Skipf("the machine's own pip is not for uv: %v: %s", err, said)
	}
	for name, c := range map[string]struct {
		file string   // pip.conf
		env  []string // beside it
		want string   // a line for each export
		err  string   // on standard error where it fails
	}{
		"nothing": {},
		"a mirror": {
			file: "[global]\nindex-url = https://mirror.example/simple\ncert = /ca.pem\n",
			want: "export SSL_CERT_FILE=/ca.pem\nexport UV_DEFAULT_INDEX=https://mirror.example/simple\n",
		},
		"the environment counts first": {
			file: "[global]\nindex-url = https://mirror.example/simple\n",
			env:  []string{"PIP_INDEX_URL=https://other.example/simple"},
			want: "export UV_DEFAULT_INDEX=https://other.example/simple\n",
		},
		"a command's section counts before all commands'": {
			file: "[global]\ntimeout = 5\n[install]\ntimeout = 60\n",
			want: "export UV_HTTP_TIMEOUT=60\n",
		},
		"two further indexes": {
			file: "[global]\nextra-index-url =\n  https://a.example/x\n  https://b.example/y\n",
			want: "export UV_INDEX='https://a.example/x https://b.example/y'\n" +
				"export UV_INDEX_STRATEGY=unsafe-best-match\n",
		},
		"folders, one of which is missing": {
			file: "[global]\nfind-links =\n  " + folder + "\n  /nowhere/at/all\n",
			want: "export UV_FIND_LINKS=" + folder + "\n",
		},
		"no cache": {env: []string{"PIP_NO_CACHE_DIR=1"}, want: "export UV_NO_CACHE=1\n"},
		"uv's own": {
			file: "[global]\nindex-url = https://mirror.example/simple\n",
			env:  []string{"UV_INDEX_URL=https://own.example/simple"},
		},
		"pip's alone":                    {file: "[global]\nretries = 3\n"},
		"a setting of a command we lack": {file: "[download]\nno-binary = x\n"},
		"a setting that uv lacks": {
			file: "[global]\nproxy = http://proxy.example\n", err: "pip's setting proxy: pip installs instead",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, said, err := settingsForUV(t, c.file, c.env)
			if (err != nil) != (c.err != "") || !strings.Contains(said, c.err) {
				t.Fatalf("%v, want %q: %s", err, c.err, said)
			}
			var got strings.Builder
			for line := range strings.Lines(out) {
				if !strings.Contains(own, line) || strings.Contains(c.want, line) {
					got.WriteString(line)
				}
			}
			if got.String() != c.want {
				t.Errorf("it prints\n%swant\n%s", got.String(), c.want)
			}
		})
	}
}

// settingsForUV runs uv_settings.py with a pip.conf beside the machine's own, and with an environment.
func settingsForUV(t *testing.T, conf string, env []string) (out, said string, err error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pip.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "uv_settings.py")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PIP_") && !strings.HasPrefix(v, "UV_") && !strings.HasPrefix(v, "SSL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "PIP_CONFIG_FILE="+file), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	return string(b), stderr.String(), err
}
