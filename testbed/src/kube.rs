//! etcd and kube-apiserver.
