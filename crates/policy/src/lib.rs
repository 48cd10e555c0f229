//! Who may do what: the only maker of proof that a call is authorised.
