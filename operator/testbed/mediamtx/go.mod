module webinar-operator.io/testbed/mediamtx

go 1.26.0

require github.com/bluenviron/mediamtx v1.19.3
