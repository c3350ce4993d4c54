//! The templates that come with the program: a start for users and an example of everything.

/// Names and definitions.
pub fn shipped() -> &'static [(&'static str, &'static str)] {
    &SHIPPED
}

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../../schemas/templates/", $name, ".json")))
    };
}

static SHIPPED: [(&str, &str); 7] = [
    template!("product"),
    template!("equipment"),
    template!("component"),
    template!("batch"),
    template!("material"),
    template!("work-order"),
    template!("document"),
];
