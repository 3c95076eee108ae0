//! Tests of the promise and its gates (to come with the seeded world).
