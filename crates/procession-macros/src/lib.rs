//! Attribute macros of procession.
