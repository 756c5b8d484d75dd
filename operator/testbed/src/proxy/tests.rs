//! Every fault, before a small server that takes the API server's place.

mod connections;
mod kills;
mod requests;
mod stage;
mod watches;
