// Package console is what people look at: pages made by the server from the resources of package api, in Chinese and
// English, with their assets embedded. A page works without a script; scripts make it live.
//
// A page is a file here with its handler and a template in templates/. Texts are written where they are shown, in
// both languages: {{tr "Terminals" "终端"}}. Acts are forms that post to the page's own path.
//
// No page has an inline script or style, nor loads anything from elsewhere: the router's policy forbids it.
package console
