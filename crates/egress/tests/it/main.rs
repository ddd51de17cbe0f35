//! The egress from outside: what it refuses, what it reaches, how it reuses and how it gives up.
//!
//! The modules are marked as tests so that lints treat their helpers as such.

#[cfg(test)]
mod client;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod reach;
#[cfg(test)]
mod upstream;
