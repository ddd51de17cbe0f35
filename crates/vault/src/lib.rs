//! How a secret is sealed, opened, rotated and destroyed; plaintext lives only inside its types.
