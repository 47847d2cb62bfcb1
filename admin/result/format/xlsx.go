package format

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/result"
)

// What a sheet holds.
const (
	MaxSheetRows    = 1_048_575 // and one for the names
	maxSheetColumns = 16_384
	maxSheetCell    = 32_767 // UTF-16 units of a text
)

// The styles of a cell, by their place in cellXfs below.
const (
	styleName = 1 // of a column
	styleDay  = 2
	styleTime = 3
)

// The parts of a workbook that are the same for every result.
const (
	xmlHead   = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	partTypes = xmlHead + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`
	partRels = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	partBookRels = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`
	partBook = xmlHead + `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheets><sheet name="%s" sheetId="1" r:id="rId1"/></sheets></workbook>`
	partStyles = xmlHead + `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss.000"/></numFmts>` +
		`<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
		`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
		`<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
		`<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>` +
		`<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>` +
		`<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>` +
		`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`
	sheetBegin = xmlHead + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`
	sheetEnd = `</sheetData></worksheet>`
)

// renderXLSX writes a workbook of one sheet. It is a small writer of our own:
// the sheet is one XML part whose strings stand in their cells, so that it can
// be written row by row with no table of strings in memory and no file beside.
func renderXLSX(ctx context.Context, out io.Writer, src result.Source, o Options) error {
	to := buffered(out)
	zipped := zip.NewWriter(to)
	zipped.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestSpeed)
	})
	parts := []struct{ name, text string }{
		{"[Content_Types].xml", partTypes},
		{"_rels/.rels", partRels},
		{"xl/workbook.xml", fmt.Sprintf(partBook, sheetName(o.Title))},
		{"xl/_rels/workbook.xml.rels", partBookRels},
		{"xl/styles.xml", partStyles},
	}
	for _, p := range parts {
		if err := writePart(zipped, p.name, p.text); err != nil {
			return err
		}
	}
	part, err := zipped.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return fmt.Errorf("write the rendered result: %w", err)
	}
	if err := renderLines(ctx, part, src, newSheet(o, src.Columns())); err != nil {
		return err
	}
	return closeAll(zipped, to)
}

func writePart(zipped *zip.Writer, name, text string) error {
	part, err := zipped.Create(name)
	if err != nil {
		return fmt.Errorf("write the rendered result: %w", err)
	}
	return write(part, []byte(text))
}

func closeAll(zipped io.Closer, to *bufio.Writer) error {
	err := zipped.Close()
	if err == nil {
		err = to.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the rendered result: %w", err)
	}
	return nil
}

// sheetName makes a name that a workbook allows: no []:*?/\, at most 31
// characters, not bare of any, and safe in an attribute.
func sheetName(title string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`[]:*?/\'`, r) {
			return ' '
		}
		return r
	}, title[:min(len(title), 4*31)]))
	name := strings.TrimSpace(string(runes[:min(len(runes), 31)]))
	if name == "" {
		name = "result"
	}
	var escaped strings.Builder
	if err := xml.EscapeText(&escaped, []byte(name)); err != nil {
		return "result"
	}
	return escaped.String()
}
