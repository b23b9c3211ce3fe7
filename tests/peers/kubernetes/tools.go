// Package kubernetes pins the Kubernetes API server, the Helm and the kustomize
// that the peer tests run: go.mod names their versions and go.sum their contents.
// They share a module because they share most of their packages. Nothing here is
// compiled into wayspan.
package kubernetes
