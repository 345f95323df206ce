// Builds one function as `faas-cli publish --remote-builder` does, with the same client. What to build comes
// as JSON on stdin; each result goes out as a line of JSON, and what the client itself refuses to stderr.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/openfaas/go-sdk/builder"
)

type job struct {
	URL           string
	PayloadSecret string
	// Of GET /publickey, for Secrets.
	PublicKey string
	Secrets   map[string]string
	// Ask for lines while it builds.
	Stream bool
	// Holds template/ and the handler's folder.
	Folder   string
	Name     string
	Handler  string
	Language string
	Config   builder.BuildConfig
}

func main() {
	log.SetFlags(0)
	var todo job
	must(json.NewDecoder(os.Stdin).Decode(&todo))
	must(os.Chdir(todo.Folder))

	context, err := builder.CreateBuildContext(todo.Name, todo.Handler, todo.Language, nil)
	must(err)
	tar := filepath.Join(todo.Folder, "req.tar")
	must(builder.MakeTar(tar, context, &todo.Config))

	address, err := url.Parse(todo.URL)
	must(err)
	options := []builder.BuilderOption{builder.WithHmacAuth(todo.PayloadSecret)}
	if todo.PublicKey != "" {
		options = append(options, builder.WithBuildSecretsKey([]byte(todo.PublicKey)))
	}
	client := builder.NewFunctionBuilder(address, http.DefaultClient, options...)
	must(build(client, tar, todo))
}

func build(client *builder.FunctionBuilder, tar string, todo job) error {
	out := json.NewEncoder(os.Stdout)
	if !todo.Stream {
		result, err := client.BuildWithSecrets(tar, todo.Secrets)
		if err != nil {
			return err
		}
		return out.Encode(result)
	}
	stream, err := client.BuildWithSecretsStream(tar, todo.Secrets)
	if err != nil {
		return err
	}
	for result, err := range stream.Results() {
		if err != nil {
			return err
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
