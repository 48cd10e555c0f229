//! Real clients against a real server and real containers.
