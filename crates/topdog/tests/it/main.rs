//! The binary from outside: it is started, spoken to over the network, killed and looked at, as an operator would.
//!
//! [`server`] runs the binary, [`upstream`] plays the provider, [`http`] speaks to both byte by byte. The modules
//! are marked as tests so that lints treat their helpers as such.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cable;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod caps;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod engines;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod http;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod key_races;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod minute_limits;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod multiplexed;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod protocols;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod references;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod scanner;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod undelayed;
#[cfg(test)]
mod upstream;
