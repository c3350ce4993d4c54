//! Rules broken one by one.
