//! What Top Dog believes, tried.

#[cfg(test)]
mod cap_meter;
#[cfg(test)]
mod catalogue;
#[cfg(test)]
mod guardrail;
#[cfg(test)]
mod key_use_audit;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod rules;
