//! The journey of a model request, one file a step.
