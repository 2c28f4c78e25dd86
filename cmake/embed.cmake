# Writes files as byte arrays into a C file: cmake -DOUT=page_assets.c -DDIR=daemon/page -DFILES=a,b -P embed.cmake
string(REPLACE "," ";" files "${FILES}")
set(arrays "")
set(list "")
set(number 0)
foreach(file ${files})
    file(READ "${DIR}/${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const unsigned char bytes_${number}[] = {${bytes}};\n")
    string(APPEND list "    {\"${file}\", bytes_${number}, sizeof bytes_${number}},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUT}" "/* Made by cmake/embed.cmake. */\n#include \"daemon/page_assets.h\"\n\n${arrays}\n"
    "const struct page_asset page_assets[] = {\n${list}    {NULL, NULL, 0},\n};\n")
