//! The journey, with fakes behind the ports, a real vault, real sockets and a scripted upstream.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod attempts;
#[cfg(test)]
mod azure;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod caching;
#[cfg(test)]
mod caps;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod echoing;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod fairness;
#[cfg(test)]
mod forwarded;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod guardrails;
#[cfg(test)]
mod held;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod passthrough;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod regulated;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod translated;
#[cfg(test)]
mod translated_streams;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod vertex;
