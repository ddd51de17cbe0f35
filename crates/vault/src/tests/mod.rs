//! Behaviour of the whole vault over ports in memory.
