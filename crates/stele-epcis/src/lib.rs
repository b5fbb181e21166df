//! EPCIS.
