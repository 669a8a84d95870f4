"""Tasks that dagflow makes itself: constants, collections, functions, operators, resource managers."""
