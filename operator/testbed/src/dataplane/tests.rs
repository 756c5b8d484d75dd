//! The model under a clock of the tests' own, and its metrics over HTTP.

mod audience;
mod http;
mod media;
mod scale;
mod scene;
