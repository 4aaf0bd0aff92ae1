//! Hot paths.
