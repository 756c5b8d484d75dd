// Command dashboard-verdict says whether Grafana's own types know every field of dashboards, and every value.
//
//	dashboard-verdict dashboard.json…
//
// Options of panels are judged by the types of their plugin, queries by those of their data source.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The version of this program, which the testbed asks for. Raise it with every change.
const version = "1.0.0"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard-verdict:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("name dashboards")
	}
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println("dashboard-verdict", version)
		return nil
	}
	plugins.RegisterDefaultPlugins()
	var all []error
	for _, path := range args {
		if err := judge(path); err != nil {
			all = append(all, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(all...)
}

func judge(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	if err := found(read.UnmarshalJSONStrict(raw)); err != nil {
		return err
	}
	return errors.Join(found(read.Validate()), fields(raw))
}

// Panels take an unknown field of their fieldConfig without a word.
func fields(raw []byte) error {
	var read struct {
		Panels []struct {
			Title       string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err
	}
	var all []error
	for _, panel := range read.Panels {
		var config dashboard.FieldConfigSource
		if err := found(config.UnmarshalJSONStrict(panel.FieldConfig)); err != nil {
			all = append(all, fmt.Errorf("%s: fieldConfig: %w", panel.Title, err))
		}
	}
	return errors.Join(all...)
}

// An empty list of errors comes as an error that isn't nil.
func found(err error) error {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return nil
	}
	return err
}
