package api

// Routes are the patterns of the handler's mux.
func (h *Handler) Routes() []string { return h.routes }

// OpenAPI is the file that describes them.
var OpenAPI = openAPI
