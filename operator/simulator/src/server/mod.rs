//! A model of kube-apiserver, as far as the operator and its neighbours can tell.
