"""Small charts as SVG, drawn in the colour of the text around them, so that they suit light and dark pages alike."""
