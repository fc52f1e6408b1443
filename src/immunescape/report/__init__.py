"""What a person sees: pictures, tables and one-file HTML reports. Holds no logic of its own."""
