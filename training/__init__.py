"""Training of the networks that FaceLoom ships: data, augmentation, recipes, measurement."""
