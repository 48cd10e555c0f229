//! How a request becomes a call of one operation: decode, authorise, admit, execute, encode.
