// Package kubernetes pins the Kubernetes API server that the peer tests run:
// go.mod names its version and go.sum its contents. Nothing here is compiled
// into wayspan.
package kubernetes
