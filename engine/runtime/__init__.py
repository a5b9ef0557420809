"""The loops: who decides, who works, who starts and stops them."""
