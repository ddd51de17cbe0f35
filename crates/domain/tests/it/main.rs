//! What Top Dog believes, tried.

#[cfg(test)]
mod matrix;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod rules;
