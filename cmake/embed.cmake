# Turns the file IN into a C file OUT that defines it as bytes.
get_filename_component(name ${IN} NAME)
string(MAKE_C_IDENTIFIER ${name} symbol)
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" n)
math(EXPR n "${n} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "extern const char ${symbol}[];\nextern const unsigned ${symbol}_bytes;\n"
  "const unsigned ${symbol}_bytes = ${n};\nconst char ${symbol}[] = {\n${bytes}0};\n")
