// Package jaeger pins the Jaeger that the peer tests run: go.mod names its
// version and go.sum its contents. Nothing here is compiled into wayspan.
package jaeger
