"""The closed list of what can lie on a pizza."""

TOPPINGS = (
    "Cheese",
    "Tomato Sauce",
    "Pepperoni",
    "Mushrooms",
    "Onions",
    "Red Onions",
    "Bell Peppers",
    "Olives",
    "Sausage",
    "Bacon",
    "Ham",
    "Chicken",
    "Pineapple",
    "Spinach",
    "Basil",
)
