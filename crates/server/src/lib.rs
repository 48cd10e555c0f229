//! Composes the roles of the program.
