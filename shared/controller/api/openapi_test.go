package api_test

import (
	"encoding/json"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

const specURL = "file:///openapi.yaml"

// spec is the OpenAPI file.
type spec struct {
	doc     map[string]any
	schemas *jsonschema.Compiler
}

func readSpec(t *testing.T) spec {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal(apicontroller.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(specURL, plain); err != nil {
		t.Fatal(err)
	}
	return spec{doc: plain.(map[string]any), schemas: c}
}

// at follows keys from the document's root and then the reference that is there; pointer is where it ended.
func (s spec) at(keys ...string) (v any, pointer string) {
	v = s.doc
	for _, k := range keys {
		m, _ := v.(map[string]any)
		if v = m[k]; v == nil {
			return nil, ""
		}
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
	}
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return v, pointer
}

// operations are the file's operations as the mux writes them, such as "GET /jobs".
func (s spec) operations() []string {
	var out []string
	for path, item := range s.doc["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				out = append(out, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(out)
	return out
}

// answers are the statuses that an operation names.
func (s spec) answers(operation string) []string {
	method, path, _ := strings.Cut(operation, " ")
	rs, _ := s.at("paths", path, strings.ToLower(method), "responses")
	var out []string
	for code := range rs.(map[string]any) {
		out = append(out, code)
	}
	return out
}

// check compares an answer with what the file says of its operation.
func (s spec) check(t *testing.T, operation string, out events.APIGatewayV2HTTPResponse) {
	t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	where := []string{"paths", path, strings.ToLower(method), "responses", strconv.Itoa(out.StatusCode)}
	answer, pointer := s.at(where...)
	if answer == nil {
		t.Errorf("%s answers %d, which the file does not have", operation, out.StatusCode)
		return
	}
	m, _ := answer.(map[string]any)
	content, ok := m["content"].(map[string]any)
	if !ok {
		if out.Body != "" {
			t.Errorf("%s answers %d with a body that the file does not have: %s", operation, out.StatusCode, out.Body)
		}
		return
	}
	kind, _, err := mime.ParseMediaType(out.Headers["Content-Type"])
	if _, ok := content[kind]; err != nil || !ok {
		t.Errorf("%s answers %d as %q, which the file does not have",
			operation, out.StatusCode, out.Headers["Content-Type"])
		return
	}
	if !strings.HasSuffix(kind, "json") {
		return
	}
	sch, err := s.schemas.Compile(specURL + "#" + pointer + "/content/" + strings.ReplaceAll(kind, "/", "~1") +
		"/schema")
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(out.Body))
	if err != nil {
		t.Fatalf("%s answers %d with %q: %v", operation, out.StatusCode, out.Body, err)
	}
	if err := sch.Validate(body); err != nil {
		t.Errorf("%s answers %d with\n%s\n%v", operation, out.StatusCode, out.Body, err)
	}
}

// Every route is in the file, and nothing else.
func TestOpenAPIRoutes(t *testing.T) {
	t.Parallel()
	var routes []string
	for _, r := range newWorld(t, stage.L2, slog.New(slog.DiscardHandler)).Routes() {
		routes = append(routes, strings.TrimSuffix(r, "{$}"))
	}
	slices.Sort(routes)
	if d := cmp.Diff(routes, readSpec(t).operations()); d != "" {
		t.Errorf("openapi.yaml differs from the routes (-route +file):\n%s", d)
	}
}

// The lists in the file are those of the code.
func TestOpenAPILists(t *testing.T) {
	t.Parallel()
	s := readSpec(t)
	list := func(keys ...string) (out []string) {
		v, _ := s.at(keys...)
		for _, x := range v.([]any) {
			out = append(out, x.(string))
		}
		return out
	}
	var types, statuses []string
	for _, x := range job.Types {
		types = append(types, string(x))
	}
	for _, x := range job.Statuses {
		statuses = append(statuses, string(x))
	}
	stages := make([]string, 0, len(stage.Names()))
	for _, n := range stage.Names() {
		stages = append(stages, string(n))
	}
	if d := cmp.Diff(stages, list("components", "schemas", "StageName", "enum")); d != "" {
		t.Errorf("stages:\n%s", d)
	}
	var levels, states, batchStatuses []string
	for _, x := range admin.Levels {
		levels = append(levels, string(x))
	}
	for _, x := range admin.States {
		states = append(states, string(x))
	}
	for _, x := range batch.Statuses {
		batchStatuses = append(batchStatuses, string(x))
	}
	if d := cmp.Diff(levels, list("components", "schemas", "Verdict", "properties", "level", "enum")); d != "" {
		t.Errorf("levels:\n%s", d)
	}
	if d := cmp.Diff(states, list("components", "schemas", "BatchFields", "properties", "stages", "items",
		"properties", "state", "enum")); d != "" {
		t.Errorf("states:\n%s", d)
	}
	if d := cmp.Diff(batchStatuses, list("components", "schemas", "BatchStatus", "enum")); d != "" {
		t.Errorf("batch statuses:\n%s", d)
	}
	if d := cmp.Diff(types, list("components", "schemas", "JobType", "enum")); d != "" {
		t.Errorf("job types:\n%s", d)
	}
	if d := cmp.Diff(statuses, list("components", "schemas", "JobStatus", "enum")); d != "" {
		t.Errorf("job statuses:\n%s", d)
	}
	for _, tt := range []struct {
		code int
		keys []string
	}{
		{admin.MaxReason, []string{"components", "schemas", "Command", "properties", "reason", "maxLength"}},
		{admin.MaxBy, []string{"components", "schemas", "Command", "properties", "by", "maxLength"}},
		{admin.MaxJobs, []string{"components", "schemas", "JobPage", "properties", "jobs", "maxItems"}},
		{admin.MaxBatches, []string{"components", "schemas", "BatchPage", "properties", "batches", "maxItems"}},
		{job.MaxFailures, []string{"components", "schemas", "JobDetail", "properties", "failures", "maxItems"}},
	} {
		if v, _ := s.at(tt.keys...); v != json.Number(strconv.Itoa(tt.code)) {
			t.Errorf("%v is %v in the file and %d in the code", tt.keys, v, tt.code)
		}
	}
}

// The file itself is served.
func TestOpenAPIServed(t *testing.T) {
	t.Parallel()
	h, _ := newAPI(t, false)
	out := call(t, h, get(http.MethodGet, "/openapi.yaml", "", ""))
	if out.Headers["Content-Type"] != "application/yaml" || out.Body != string(apicontroller.OpenAPI) {
		t.Errorf("%d %s, %d bytes", out.StatusCode, out.Headers["Content-Type"], len(out.Body))
	}
}
