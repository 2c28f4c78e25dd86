# The Debian package: `./run deb`. It is one package, since programs, library and headers have one version.
# Files that belong to a system and not to a prefix are the component `system`, which `cmake --install`
# leaves out. The package leaves out the component `prefix`.
install(FILES packaging/tapedeck.conf DESTINATION /etc/tapedeck COMPONENT system EXCLUDE_FROM_ALL)
install(FILES packaging/systemd/tapedeck-recorder.service
    DESTINATION /usr/lib/systemd/system COMPONENT system EXCLUDE_FROM_ALL)
if(TARGET tapedeck-replayer)
    install(FILES packaging/systemd/tapedeck-replayer.service
        DESTINATION /usr/lib/systemd/system COMPONENT system EXCLUDE_FROM_ALL)
endif()
install(FILES packaging/systemd/sysusers.conf RENAME tapedeck.conf
    DESTINATION /usr/lib/sysusers.d COMPONENT system EXCLUDE_FROM_ALL)
install(FILES packaging/systemd/tmpfiles.conf RENAME tapedeck.conf
    DESTINATION /usr/lib/tmpfiles.d COMPONENT system EXCLUDE_FROM_ALL)
install(FILES ${TDK_MANUAL}/completion.zsh RENAME _tapedeck
    DESTINATION /usr/share/zsh/vendor-completions COMPONENT system EXCLUDE_FROM_ALL)
install(FILES LICENSE RENAME copyright
    DESTINATION /usr/share/doc/tapedeck COMPONENT system EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "tapedeck developers <tapedeck@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL Unspecified system)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION misc)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libjs-dygraphs") # draws the charts of the page at --http
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, prometheus, python3-numpy, python3-pandas, python3-msgpack")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Feeds publish ticks into rings and never wait.
The recorder loses nothing that was published, and any range comes back exactly,
at any speed, into a ring again.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/packaging/deb/postinst ${PROJECT_SOURCE_DIR}/packaging/deb/prerm
    ${PROJECT_SOURCE_DIR}/packaging/deb/postrm ${PROJECT_SOURCE_DIR}/packaging/deb/conffiles
    ${PROJECT_SOURCE_DIR}/packaging/deb/triggers)
include(CPack)
