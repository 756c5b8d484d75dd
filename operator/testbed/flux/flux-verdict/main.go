// Command flux-verdict says what Flux makes of objects and of its own manifests, with the libraries that Flux is made of.
//
//	flux-verdict status < objects.json
//	flux-verdict health kustomization.yaml < objects.json
//	flux-verdict decode < manifests.yaml
//
// status computes the kstatus of each object. health does what a Kustomization's healthCheckExprs ask for, and
// kstatus for the other kinds. Both read JSON objects one after the other and print one JSON line for each: status
// and message. decode reads YAML documents strictly, and fails on an unknown kind or field.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	source "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// The version of this program, which the testbed asks for. Raise it with every change.
const version = "1.0.0"

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "flux-verdict:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "--version":
		fmt.Println("flux-verdict", version)
		return nil
	case len(args) == 1 && args[0] == "status":
		return judge(status.Compute)
	case len(args) == 2 && args[0] == "health":
		compute, err := expressions(args[1])
		if err != nil {
			return err
		}
		return judge(compute)
	case len(args) == 1 && args[0] == "decode":
		return documents(os.Stdin, func(text []byte) error {
			_, err := decode(text)
			return err
		})
	}
	return errors.New("usage: flux-verdict status | health FILE | decode")
}

func judge(compute func(*unstructured.Unstructured) (*status.Result, error)) error {
	in := json.NewDecoder(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		var text json.RawMessage
		if err := in.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		// Not with encoding/json, which makes a float of a generation.
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		result, err := compute(object)
		if err != nil {
			return fmt.Errorf("%s: %w", object.GetName(), err)
		}
		if err := out.Encode(verdict{result.Status.String(), result.Message}); err != nil {
			return err
		}
	}
}

// expressions is what the Kustomization in a file judges objects by.
func expressions(file string) (func(*unstructured.Unstructured) (*status.Result, error), error) {
	text, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	evaluators := map[schema.GroupKind]*cel.StatusEvaluator{}
	err = documents(text, func(text []byte) error {
		object, err := decode(text)
		if err != nil {
			return err
		}
		kustomization, ok := object.(*kustomize.Kustomization)
		if !ok {
			return nil
		}
		for _, check := range kustomization.Spec.HealthCheckExprs {
			evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
			if err != nil {
				return fmt.Errorf("%s: %w", check.Kind, err)
			}
			evaluators[schema.FromAPIVersionAndKind(check.APIVersion, check.Kind).GroupKind()] = evaluator
		}
		return nil
	})
	if err == nil && len(evaluators) == 0 {
		err = fmt.Errorf("%s has no Kustomization with healthCheckExprs", file)
	}
	return func(object *unstructured.Unstructured) (*status.Result, error) {
		if evaluator, ok := evaluators[object.GroupVersionKind().GroupKind()]; ok {
			return evaluator.Evaluate(context.Background(), object)
		}
		return status.Compute(object)
	}, err
}

func documents(from io.Reader, each func([]byte) error) error {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(from))
	for {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err := each(text); err != nil {
			return err
		}
	}
}

func decode(text []byte) (any, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	kinds := map[schema.GroupVersionKind]any{
		kustomize.GroupVersion.WithKind("Kustomization"): &kustomize.Kustomization{},
		helm.GroupVersion.WithKind("HelmRelease"):        &helm.HelmRelease{},
		source.GroupVersion.WithKind("OCIRepository"):    &source.OCIRepository{},
		source.GroupVersion.WithKind("GitRepository"):    &source.GitRepository{},
		source.GroupVersion.WithKind("HelmRepository"):   &source.HelmRepository{},
	}
	object, ok := kinds[schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)]
	if !ok {
		return nil, fmt.Errorf("unknown kind %s %s", head.APIVersion, head.Kind)
	}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		return nil, fmt.Errorf("%s: %w", head.Kind, err)
	}
	return object, nil
}
