//! What runs later or can't be trusted: workers and the sandbox.
