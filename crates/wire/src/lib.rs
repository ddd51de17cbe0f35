//! How providers speak: request, response and stream types and pure translation between them; bytes in, bytes out.
