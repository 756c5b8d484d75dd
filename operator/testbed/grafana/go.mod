module webinar-operator.io/testbed/grafana

go 1.26.0

godebug default=go1.26

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
