//! A small world around the operator as it ships: a model of the API server, of schedulers, kubelets and people, with a
//! clock of its own. One seed is one history.

#![deny(missing_docs)]

pub mod server;
